import { expect, test } from 'vitest';
import { summarize } from './summary';

const none = { monitors: 0, down: 0, unknown: 0, pending: 0, firing: 0, broken: 0, ailing: 0 };
const text = (counts: Partial<typeof none>) => summarize({ ...none, ...counts }).text;

test('one sentence says how it is', () => {
  expect(text({ monitors: 1000 })).toBe('All 1,000 monitors are up, nothing fires');
  expect(text({ monitors: 1 })).toBe('The monitor is up, nothing fires');
  expect(text({ monitors: 9, down: 3, firing: 2 })).toBe('3 monitors down, 2 other alerts firing');
  expect(text({ monitors: 9, down: 1 })).toBe('1 monitor down, nothing else fires');
  expect(text({ monitors: 9, firing: 2 })).toBe('All 9 monitors are up, 2 alerts firing');
  expect(text({ monitors: 9, unknown: 2, pending: 1 })).toBe('2 monitors unknown, 1 pending, nothing fires');
  expect(text({})).toBe('Nothing fires');
});

test('what of Campanile does not work comes first, and nothing beside it soothes', () => {
  expect(text({ monitors: 9, broken: 1 })).toBe('1 part of Campanile does not work');
  expect(text({ broken: 2, ailing: 1 })).toBe('2 parts of Campanile do not work, 1 has trouble');
  expect(text({ monitors: 9, broken: 1, down: 1, firing: 2 })).toBe('1 part of Campanile does not work, 1 monitor down, 2 other alerts firing');
  expect(text({ monitors: 9, broken: 1, pending: 2 })).toBe('1 part of Campanile does not work, 2 monitors pending');
  expect(summarize({ ...none, broken: 1 }).tone).toBe('down');
});

test('what of Campanile has trouble is told beside the rest', () => {
  expect(text({ monitors: 9, ailing: 1 })).toBe('All 9 monitors are up, nothing fires, but 1 part of Campanile has trouble');
  expect(text({ ailing: 2 })).toBe('Nothing fires, but 2 parts of Campanile have trouble');
  expect(text({ monitors: 9, ailing: 1, down: 2 })).toBe('2 monitors down, nothing else fires, 1 part of Campanile has trouble');
  expect(summarize({ ...none, monitors: 9, ailing: 1 }).tone).toBe('warn');
  expect(summarize({ ...none, monitors: 9, ailing: 1, firing: 1 }).tone).toBe('down');
});

test('all is well only if it is', () => {
  expect(summarize({ ...none, monitors: 3 }).tone).toBe('up');
  expect(summarize({ ...none, monitors: 3, pending: 1 }).tone).toBe('warn');
  expect(summarize({ ...none, monitors: 3, firing: 1 }).tone).toBe('down');
});
