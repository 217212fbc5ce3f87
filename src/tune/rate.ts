/** The present rate of a run: an exponential mean over its deliveries of steps, so that it follows changes and does not jump. */
export class RateMeter {
  static readonly KEEP = 0.9
  #steps = 0
  #examples = 0
  #seconds = 0
  #since = performance.now()

  /** The clock starts anew, so that what happens between stretches of training does not count. */
  start(): void {
    this.#since = performance.now()
  }

  /** `steps` more steps with `examples` examples are done; gives the seconds since the last delivery. */
  add(steps: number, examples: number): number {
    const now = performance.now()
    const seconds = (now - this.#since) / 1000
    this.#since = now
    this.#steps = this.#steps * RateMeter.KEEP + steps
    this.#examples = this.#examples * RateMeter.KEEP + examples
    this.#seconds = this.#seconds * RateMeter.KEEP + seconds
    return seconds
  }

  get examplesPerSecond(): number {
    return this.#seconds > 0 ? this.#examples / this.#seconds : 0
  }

  secondsFor(steps: number): number {
    return this.#steps > 0 ? (steps * this.#seconds) / this.#steps : 0
  }
}
