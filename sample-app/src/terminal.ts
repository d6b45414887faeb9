/** Prints one line to the terminal. */
export function print(subject: string, text: string): void {
  process.stdout.write(`${subject.padEnd(7)} ${text}\n`);
}
