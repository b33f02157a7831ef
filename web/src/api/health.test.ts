import { expect, test, vi } from 'vitest';
import { fetchHealth } from './health';

function answer(status: number, body: object): void {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify(body), { status })));
}

const components = [{ component: 'store', status: 'unhealthy', reason: 'the disk is full' }];

test('an unhealthy server says what is wrong', async () => {
  answer(503, { status: 'unhealthy', components });
  expect(await fetchHealth()).toEqual(components);
});

test('a refusal of something else is none of its parts', async () => {
  answer(503, { status: 'error', error: 'too many requests' });
  await expect(fetchHealth()).rejects.toThrow('too many requests');
});
