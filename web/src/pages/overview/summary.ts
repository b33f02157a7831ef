// One sentence that says whether all is well.

import type { Tone } from '../../parts/StateIcon.svelte';
import { count } from '../../format/number';

export interface Counts {
  monitors: number;
  down: number;
  unknown: number;
  pending: number;
  /** Alerts that fire, without those of monitors that are down. */
  firing: number;
}

export interface Summary {
  tone: Tone;
  text: string;
}

export function summarize({ monitors, down, unknown, pending, firing }: Counts): Summary {
  const alerts = firing === 0 ? 'nothing fires' : `${count(firing, down > 0 ? 'other alert' : 'alert')} firing`;
  if (down > 0) return { tone: 'down', text: `${count(down, 'monitor')} down, ${firing === 0 ? 'nothing else fires' : alerts}` };
  if (firing > 0 && monitors === 0) return { tone: 'down', text: alerts };
  if (monitors === 0) return { tone: 'up', text: 'Nothing fires' };
  const waiting = unknown + pending;
  if (waiting > 0) {
    const what = [
      ...(unknown > 0 ? [`${count(unknown, 'monitor')} unknown`] : []),
      ...(pending > 0 ? [`${unknown > 0 ? pending.toLocaleString('en-GB') : count(pending, 'monitor')} pending`] : []),
    ];
    return { tone: firing > 0 ? 'down' : 'warn', text: `${[...what, alerts].join(', ')}` };
  }
  const well = monitors === 1 ? 'The monitor is up' : `All ${count(monitors, 'monitor')} are up`;
  return { tone: firing > 0 ? 'down' : 'up', text: `${well}, ${alerts}` };
}
