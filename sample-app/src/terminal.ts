/** One line of the terminal. */
export function say(subject: string, text: string): void {
  process.stdout.write(`${subject.padEnd(7)} ${text}\n`);
}
