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
  /** Parts of Campanile that do not work, and those that work but not well. */
  broken: number;
  ailing: number;
}

export interface Summary {
  tone: Tone;
  text: string;
}

export function summarize({ monitors, down, unknown, pending, firing, broken, ailing }: Counts): Summary {
  const trouble = [
    ...(down > 0 ? [`${count(down, 'monitor')} down`] : []),
    ...(down === 0 && unknown > 0 ? [`${count(unknown, 'monitor')} unknown`] : []),
    ...(down === 0 && pending > 0 ? [`${unknown > 0 ? pending.toLocaleString('en-GB') : count(pending, 'monitor')} pending`] : []),
  ];
  const alerts = firing > 0 ? [`${count(firing, down > 0 ? 'other alert' : 'alert')} firing`] : [];
  const own = [
    ...(broken > 0 ? [`${count(broken, 'part')} of Campanile ${broken === 1 ? 'does' : 'do'} not work`] : []),
    ...(ailing > 0 ? [`${broken > 0 ? ailing : `${count(ailing, 'part')} of Campanile`} ${ailing === 1 ? 'has' : 'have'} trouble`] : []),
  ];
  // What is well is not told then: who does not work may not see what is wrong.
  if (broken > 0) return { tone: 'down', text: [...own, ...trouble, ...alerts].join(', ') };

  const isWell = trouble.length === 0 && firing === 0;
  if (trouble.length === 0 && monitors > 0) trouble.push(monitors === 1 ? 'The monitor is up' : `All ${count(monitors, 'monitor')} are up`);
  if (firing === 0) alerts.push(down > 0 ? 'nothing else fires' : monitors > 0 ? 'nothing fires' : 'Nothing fires');
  const text = [...trouble, ...alerts, ...own].join(', ');
  if (down > 0 || firing > 0) return { tone: 'down', text };
  if (!isWell) return { tone: 'warn', text };
  return ailing > 0 ? { tone: 'warn', text: [...trouble, ...alerts].join(', ') + `, but ${own}` } : { tone: 'up', text };
}
