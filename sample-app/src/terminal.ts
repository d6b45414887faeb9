const MAX_CHARS = 500;

/** Prints one line to the terminal. The text may contain keys and values from etcd. */
export function print(subject: string, text: string): void {
  process.stdout.write(`${subject.padEnd(7)} ${printable(text)}\n`);
}

/** Prints the message of an error, which may have several lines. */
export function printError(message: string): void {
  process.stdout.write(`${'error'.padEnd(7)} ${message.split('\n').map(escaped).join('\n')}\n`);
}

const printable = (text: string): string => escaped(text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}...` : text);

/** Escapes control characters and invisible ones, which a terminal would obey. */
const escaped = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
