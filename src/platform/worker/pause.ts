/**
 * A wait that can be cut short. A wake-up that comes while nobody waits is kept for the next wait; many are one.
 * One waiter at a time.
 */
export class Pause {
  private woken = false;
  private release: (() => void) | null = null;

  /** Ends the present wait, or the next one at once. */
  wake(): void {
    this.woken = true;
    this.release?.();
  }

  /** Forgets a wake-up. Call before reading what the wake-up is about, never after. */
  clear(): void {
    this.woken = false;
  }

  /** Resolves when woken, or after `ms`; null waits for the wake-up alone. */
  async wait(ms: number | null): Promise<void> {
    if (!this.woken) {
      await new Promise<void>((resolve) => {
        const timer = ms === null ? undefined : setTimeout(resolve, ms);
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
