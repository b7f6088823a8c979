// Where the results are: a plan without tiles, so that it needs nobody else's server.

import { draw } from './dom.js';
import { yuan } from './words.js';

const WIDTH = 800;
const HEIGHT = 420;
const MARGIN = 40;

/** A plan of `items` and of where the guest is, if anybody knows; `open` gets what was chosen. */
export function plan(items, me, open) {
  const points = [...items.map(({ lat, lon }) => ({ lat, lon })), ...(me ? [me] : [])];
  if (points.length === 0) return draw('svg');
  const lats = points.map(({ lat }) => lat);
  const lons = points.map(({ lon }) => lon);
  const [south, north] = [Math.min(...lats), Math.max(...lats)];
  const [west, east] = [Math.min(...lons), Math.max(...lons)];
  // A degree of longitude is shorter than one of latitude.
  const squeeze = Math.cos(((south + north) / 2) * (Math.PI / 180));
  const scale = Math.min(
    (WIDTH - 2 * MARGIN) / Math.max((east - west) * squeeze, 0.005),
    (HEIGHT - 2 * MARGIN) / Math.max(north - south, 0.005),
  );
  const at = ({ lat, lon }) => ({
    x: WIDTH / 2 + (lon - (west + east) / 2) * squeeze * scale,
    y: HEIGHT / 2 - (lat - (south + north) / 2) * scale,
  });

  const dots = items.map((item, index) => {
    const { x, y } = at(item);
    return draw(
      'g',
      { role: 'button', tabindex: 0, 'aria-label': item.title, onclick: () => open(item, index) },
      draw('circle', { cx: x, cy: y, r: 9 }),
      draw('text', { x: x + 12, y: y + 4 }, yuan(item.priceFen)),
      draw('title', {}, item.title),
    );
  });
  if (me) {
    const { x, y } = at(me);
    dots.push(draw('circle', { class: 'me', cx: x, cy: y, r: 7 }));
  }
  const km = niceKm(111.2 / scale);
  const length = (km / 111.2) * scale;
  return draw(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'group', 'aria-label': '结果的位置' },
    ...dots,
    draw('line', { x1: 16, y1: HEIGHT - 16, x2: 16 + length, y2: HEIGHT - 16, 'stroke-width': 3 }),
    draw('text', { x: 16, y: HEIGHT - 22 }, km < 1 ? `${km * 1000} 米` : `${km} 公里`),
  );
}

/** A round number of kilometres that is about 120 units long. */
function niceKm(kmPerUnit) {
  const wanted = kmPerUnit * 120;
  const power = 10 ** Math.floor(Math.log10(wanted));
  return [5, 2, 1].map((step) => step * power).find((km) => km <= wanted) ?? power;
}
