import { readdir, readFile } from 'node:fs/promises';

/** Linux counts CPU time in hundredths of a second. */
const TICKS_A_SECOND = 100;

export async function childrenOf(parent: number): Promise<number[]> {
  const numbers = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(numbers.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  return stats
    .map((stat) => /^(\d+) \(.*\) \S (\d+)/.exec(stat))
    .filter((match) => match !== null && Number(match[2]) === parent)
    .map((match) => Number(match?.[1]));
}

/** CPU seconds of a process so far, with those of its children: the living and the ended. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const [own, living] = [await ticksOf(pid), await Promise.all((await childrenOf(pid)).map(ticksOf))];
  return living.reduce((sum, ticks) => sum + ticks, own) / TICKS_A_SECOND;
}

/** 0 for a process that is gone. */
async function ticksOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // After the name, which may hold anything: the state, and from there on utime, stime, cutime and cstime are the 12th to 15th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}
