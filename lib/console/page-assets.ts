import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';

/** One file of the page. */
export interface PageAsset {
  readonly content: string;
  readonly type: string;
  readonly etag: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const INDEX = 'index.html';

/** The files of the page. They are read once, so that no path of a request reaches the file system. */
export class PageAssets {
  readonly #assets: ReadonlyMap<string, PageAsset>;

  constructor(folder = new URL('./page/', import.meta.url)) {
    const names = readdirSync(folder).filter((name) => extname(name) in TYPES);
    this.#assets = new Map(names.map((name) => [name, assetOf(name, readFileSync(new URL(name, folder), 'utf8'))]));
  }

  get index(): PageAsset | undefined {
    return this.#assets.get(INDEX);
  }

  named(name: string): PageAsset | undefined {
    return name === INDEX ? undefined : this.#assets.get(name);
  }
}

const assetOf = (name: string, content: string): PageAsset => ({
  content,
  type: TYPES[extname(name)] ?? 'application/octet-stream',
  etag: `"${createHash('sha256').update(content).digest('base64url')}"`,
});
