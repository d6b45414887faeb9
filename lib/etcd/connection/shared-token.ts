/** A token for all calls: requested when it is first needed and after a refusal, never by two requests at a time. */
export class SharedToken {
  #token: Promise<string | undefined> | undefined;
  /** The token that calls use now; `undefined` while they wait for one. */
  #issued: { readonly token: string | undefined } | undefined;

  constructor(private readonly authenticate: () => Promise<string | undefined>) {}

  /** Resolves to `undefined` where authentication is disabled. */
  get(): Promise<string | undefined> {
    return (this.#token ??= this.#renewed());
  }

  /** The server has refused this token: the next call gets a new one, unless the token was replaced already. */
  refused(token: string | undefined): void {
    if (this.#issued && this.#issued.token === token) this.#forget();
  }

  async #renewed(): Promise<string | undefined> {
    try {
      const token = await this.authenticate();
      this.#issued = { token };
      return token;
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  #forget(): void {
    this.#token = undefined;
    this.#issued = undefined;
  }
}
