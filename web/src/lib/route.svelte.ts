// Where in the page: what stands behind the `#`, so that every view has an address of its own.

function read(): { parts: string[]; query: URLSearchParams } {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  return { parts: path.split('/').filter((part) => part !== '').map(decodeURIComponent), query: new URLSearchParams(query) };
}

export const route = $state(read());

addEventListener('hashchange', () => {
  const now = read();
  route.parts = now.parts;
  route.query = now.query;
});

export function go(path: string, replace = false): void {
  if (replace) history.replaceState(null, '', `#/${path}`);
  else location.hash = `/${path}`;
  if (replace) dispatchEvent(new HashChangeEvent('hashchange'));
}

/** Changes the query and nothing else: a filter has an address, and makes no history. */
export function ask(name: string, value: string): void {
  const query = new URLSearchParams(route.query);
  if (value === '') query.delete(name);
  else query.set(name, value);
  const text = query.toString();
  go(`${route.parts.map(encodeURIComponent).join('/')}${text ? `?${text}` : ''}`, true);
}
