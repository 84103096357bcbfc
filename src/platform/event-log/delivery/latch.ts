/**
 * A wake-up that isn't lost when it comes before the wait: `wake` is remembered until the next `wait` or `clear`.
 * One waiter at a time.
 */
export class Latch {
  private woken = false;
  private release: (() => void) | null = null;

  /** Ends the present wait, or the next one at once. */
  wake(): void {
    this.woken = true;
    this.release?.();
  }

  /** Forgets a wake-up. Do so before reading the state that the wake-up is about, never after. */
  clear(): void {
    this.woken = false;
  }

  /** Resolves when woken, or after `timeoutMs`. */
  async wait(timeoutMs?: number): Promise<void> {
    if (!this.woken) {
      await new Promise<void>((resolve) => {
        const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs);
        this.release = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.release = null;
    }
    this.woken = false;
  }
}
