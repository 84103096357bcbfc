/** The routes that the server has, so that a wrong method can be told from a wrong path. */
export class RouteTable {
  private readonly routes: { readonly method: string; readonly segments: readonly string[] }[] = [];

  /** @param pattern as the router writes it: `/v1/properties/:id` */
  add(methods: string | readonly string[], pattern: string): void {
    if (pattern.includes('*')) return;
    for (const method of [methods].flat()) this.routes.push({ method, segments: segmentsOf(pattern) });
  }

  /** Methods that the path of `url` has, sorted; none for an unknown path. */
  methodsOf(url: string): string[] {
    const path = segmentsOf(url.split('?', 1)[0]!);
    const found = this.routes.filter(
      ({ segments }) =>
        segments.length === path.length &&
        segments.every((part, i) => part.startsWith(':') || part === path[i]),
    );
    return [...new Set(found.map(({ method }) => method))].sort();
  }
}

const segmentsOf = (path: string): string[] => path.replace(/\/$/, '').split('/');
