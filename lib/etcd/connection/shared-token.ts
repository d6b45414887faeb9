/** A token that all calls share: got when it is first needed, got anew when a member has refused it, and never by two requests at a time. */
export class SharedToken {
  #token: Promise<string | undefined> | undefined;
  /** What calls go with; nothing while they wait. */
  #issued: { readonly token: string | undefined } | undefined;

  constructor(private readonly authenticate: () => Promise<string | undefined>) {}

  /** `undefined` where authentication is off. */
  get(): Promise<string | undefined> {
    return (this.#token ??= this.#renewed());
  }

  /** A call that went with this was refused for it: the next one gets a new token, unless another call has seen to that already. */
  refused(token: unknown): void {
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
