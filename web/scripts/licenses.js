// Takes addresses of mail out of the list of licences: names must be told, and addresses only attract unwanted mail.
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../dist/licenses.txt', import.meta.url);
writeFileSync(file, readFileSync(file, 'utf8').replace(/ ?<[^<>\s]+@[^<>\s]+>/g, ''));
