import type { ServerResponse } from 'node:http';

/** Number of pages that may follow the events of one process. */
const MAX_PAGES = 500;

/** Bytes that a page may lag behind; then it is disconnected. */
const MAX_BUFFERED_BYTES = 1_048_576;

/** The pages that follow the events, as streams of server-sent events. */
export class EventPages {
  readonly #pages = new Set<ServerResponse>();
  #isClosed = false;

  get isEmpty(): boolean {
    return this.#pages.size === 0;
  }

  /** False if no further page can be added. */
  get hasRoom(): boolean {
    return !this.#isClosed && this.#pages.size < MAX_PAGES;
  }

  /** Adds a page until its connection ends. Calls `left` then. */
  add(page: ServerResponse, left: () => void): void {
    this.#pages.add(page);
    const remove = (): void => {
      if (this.#pages.delete(page)) left();
    };
    page.on('close', remove).on('error', remove);
  }

  /** Sends an event to all pages. */
  broadcast(event: string, data: object): void {
    const block = eventBlock(event, data);
    for (const page of this.#pages) this.#write(page, block);
  }

  each(call: (page: ServerResponse) => void): void {
    for (const page of this.#pages) call(page);
  }

  send(page: ServerResponse, event: string, data: object): void {
    this.#write(page, eventBlock(event, data));
  }

  /** Sends a comment, which shows that the connection works. */
  heartbeat(): void {
    for (const page of this.#pages) this.#write(page, ': heartbeat\n\n');
  }

  /** Ends all streams. Does not wait for pages that read slowly. */
  close(): void {
    this.#isClosed = true;
    for (const page of this.#pages) {
      if (page.writableLength > 0) page.destroy();
      else page.end(() => page.socket?.destroySoon());
    }
  }

  /** A page that reads slowly is disconnected, so that nothing is buffered without bound. */
  #write(page: ServerResponse, block: string): void {
    if (page.writableLength > MAX_BUFFERED_BYTES) page.destroy();
    else page.write(block);
  }
}

const eventBlock = (event: string, data: object): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
