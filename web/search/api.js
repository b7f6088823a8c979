// The API of the homestays. `config.json` beside this page says where it is; by default where the page is.

const config = fetch('config.json')
  .then((answer) => (answer.ok ? answer.json() : {}))
  .catch(() => ({}));

/** What the API refused, in its own words. */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.title ?? `HTTP ${status}`);
    this.status = status;
    this.body = body;
  }
}

async function get(path, parameters, signal) {
  const { apiUrl = '' } = await config;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== '' && value !== null) query.set(name, value);
  }
  const text = query.toString();
  const answer = await fetch(`${apiUrl}${path}${text && `?${text}`}`, { signal });
  const body = await answer.json().catch(() => undefined);
  if (!answer.ok) throw new Problem(answer.status, body);
  return body;
}

export const search = (parameters, signal) => get('/v1/homestays/search', parameters, signal);
export const suggest = (q, signal) => get('/v1/homestays/suggest', { q, limit: 8 }, signal);
export const hot = () => get('/v1/homestays/hot-searches', {});
export const homestay = (id) => get(`/v1/homestays/${encodeURIComponent(id)}`, {});

/** Tells which result was opened. Nobody waits for it, and it outlives the page. */
export async function clicked(click) {
  const { apiUrl = '' } = await config;
  await fetch(`${apiUrl}/v1/search-clicks`, {
    method: 'POST',
    keepalive: true,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(click),
  }).catch(() => undefined);
}
