/** The JSON object that a record's value is, or null. */
export function objectOf(value: Buffer | null): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(value?.toString('utf8') ?? 'null');
    return typeof parsed === 'object' && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown> | null)
      : null;
  } catch {
    return null;
  }
}
