/** Rounds in which the owner of something is killed or stopped. `npm run pods` sets 100. */
export const POD_ROUNDS = Number(process.env.POD_ROUNDS ?? 2);

/** A round takes about the time to live of the owner's lease. */
export const POD_TIMEOUT_MS = 120_000 + POD_ROUNDS * 30_000;

/** Prints the figures of a long run. */
export function reportRounds(subject: string, figures: Readonly<Record<string, number>>): void {
  if (process.env.POD_ROUNDS === undefined) return;
  const line = Object.entries(figures).map(([name, figure]) => `${name}: ${figure}`);
  process.stdout.write(`${subject}, ${POD_ROUNDS} rounds: ${line.join('; ')}\n`);
}
