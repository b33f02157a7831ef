// Which line has which colour: eight colours, then the same ones dashed, so that neighbours always differ.

const COLOURS = 8;
const DASHES: number[][] = [[], [6, 3], [2, 3], [9, 3, 2, 3]];

export interface Pen {
  /** A variable of theme.css. */
  colour: string;
  dash: number[];
}

export function pen(index: number): Pen {
  return {
    colour: `--series-${(index % COLOURS) + 1}`,
    dash: DASHES[Math.floor(index / COLOURS) % DASHES.length]!,
  };
}
