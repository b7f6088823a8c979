import { clicked, homestay, hot, Problem, search } from './api.js';
import { combobox } from './combobox.js';
import { make, marked } from './dom.js';
import { plan } from './map.js';
import { FILTERS, parameters, read, write } from './state.js';
import { distance, FACILITIES, ROOM_TYPES, yuan } from './words.js';

const PAGE_SIZE = 20;
const at = (id) => document.getElementById(id);
const [keyword, form, filterForm, sort, results, summary, hint, more, map, mapButton, detail] = [
  'keyword',
  'search',
  'filter-form',
  'sort',
  'results',
  'summary',
  'hint',
  'more',
  'map',
  'show-map',
  'detail',
].map(at);

let state = read();
let shown = [];
let answer;
let running;

// ---- searching

async function run({ push = true } = {}) {
  if (push) write(state);
  fillIn();
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  results.classList.add('loading');
  try {
    const found = await search({ ...parameters(state), pageSize: PAGE_SIZE }, signal);
    if (signal.aborted) return;
    answer = found;
    shown = found.items;
    show();
  } catch (error) {
    if (!signal.aborted) fail(error);
  } finally {
    if (!signal.aborted) results.classList.remove('loading');
  }
}

async function next() {
  more.disabled = true;
  try {
    const found = await search({ ...parameters(state), cursor: answer.nextCursor, pageSize: PAGE_SIZE });
    answer = { ...answer, nextCursor: found.nextCursor };
    const first = shown.length;
    shown = [...shown, ...found.items];
    results.append(...found.items.map((item, index) => card(item, first + index)));
    showMap();
    results.children[first]?.querySelector('.title').focus();
  } catch (error) {
    fail(error);
  } finally {
    more.disabled = false;
    more.hidden = !answer.nextCursor;
  }
}

function fail(error) {
  const fields = error instanceof Problem ? (error.body?.errors ?? []) : [];
  const text = fields.length > 0 ? '这样的筛选条件不行，请检查后再试。' : '没搜成，请稍后再试。';
  summary.textContent = '';
  hint.hidden = true;
  more.hidden = true;
  results.replaceChildren(
    make(
      'li',
      { class: 'error', role: 'alert' },
      text,
      ' ',
      make('button', { onclick: () => run({ push: false }) }, '再试一次'),
    ),
  );
}

// ---- showing

function show() {
  summary.textContent = `${answer.total.toLocaleString('zh-CN')} 家民宿`;
  results.replaceChildren(...shown.map(card));
  if (shown.length === 0) {
    results.append(make('li', { class: 'empty' }, '没有找到。少选几个条件，或者换个说法试试。'));
  }
  more.hidden = !answer.nextCursor;
  showHint();
  showFacets();
  showMap();
}

function showHint() {
  const button = (text, changes) => make('button', { type: 'button', onclick: () => change(changes) }, text);
  hint.replaceChildren();
  if (answer.correctedFrom) {
    hint.append(
      `显示的是「${answer.keyword}」的结果。`,
      button(`仍然搜索「${answer.correctedFrom}」`, { autocorrect: 'false' }),
    );
  } else if (answer.didYouMean) {
    hint.append('是不是要找：', button(answer.didYouMean, { keyword: answer.didYouMean }));
  } else if (answer.keyword && answer.matching && answer.matching !== 'all' && shown.length > 0) {
    hint.append('没有全部符合的，以下是部分符合的。');
  }
  hint.hidden = hint.childNodes.length === 0;
}

function card(item, index) {
  const title = item.highlights?.title ? marked(item.highlights.title) : [item.title];
  const info = item.highlights?.info ? marked(item.highlights.info) : [item.subtitle];
  const hue = [...item.id].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % 4;
  const cover = item.cover
    ? make(
        'div',
        { class: 'cover' },
        make('img', { src: item.cover, alt: '', loading: 'lazy', referrerpolicy: 'no-referrer' }),
      )
    : make('div', { class: `cover c${hue}`, 'aria-hidden': 'true' }, ROOM_TYPES[item.roomType] ?? '');
  const facts = [
    make('span', { class: 'price' }, yuan(item.priceFen)),
    item.rating === undefined ? undefined : make('span', {}, `★ ${item.rating.toFixed(1)}（${item.ratingCount}）`),
    make('span', {}, `${item.city}${item.district}`),
    item.distanceM === undefined ? undefined : make('span', { class: 'distance' }, distance(item.distanceM)),
    make('span', {}, `${item.capacity} 人`),
  ];
  return make(
    'li',
    { class: 'card', 'data-id': item.id },
    cover,
    make('h2', {}, make('button', { type: 'button', class: 'title', onclick: () => open(item, index) }, ...title)),
    make('p', { class: 'info' }, ...info),
    make('p', { class: 'facts' }, ...facts),
  );
}

async function open(item, index) {
  clicked({
    searchId: answer.searchId,
    homestayId: item.id,
    position: index + 1,
    keyword: answer.keyword || undefined,
  });
  const close = make('button', { type: 'button', onclick: () => detail.close() }, '关闭');
  const body = make('p', {}, item.subtitle);
  const facilities = item.facilities.map((name) => FACILITIES[name] ?? name).join(' · ');
  detail.replaceChildren(
    make('h2', { id: 'detail-title' }, item.title),
    make(
      'p',
      { class: 'facts' },
      make('span', { class: 'price' }, `${yuan(item.priceFen)} / 晚`),
      make('span', {}, ROOM_TYPES[item.roomType] ?? ''),
    ),
    body,
    make('p', {}, facilities),
    close,
  );
  detail.showModal();
  try {
    const whole = await homestay(item.id);
    body.textContent = [whole.subtitle, whole.info].filter(Boolean).join('\n');
  } catch (error) {
    if (error instanceof Problem && error.status === 404) body.textContent = '这家民宿已经下架了。';
  }
}

function showMap() {
  if (map.hidden) return;
  const me = state.lat ? { lat: Number(state.lat), lon: Number(state.lon) } : undefined;
  map.replaceChildren(plan(shown, me, open));
}

// ---- filters

function showFacets() {
  const { facets } = answer;
  if (!facets) return;
  chips('roomType', facets.roomTypes, ROOM_TYPES);
  chips('facilities', facets.facilities, FACILITIES);
  const district = filterForm.elements.district;
  const names = facets.districts.map(({ value, count }) => [value, `${value}（${count}）`]);
  if (state.district && !names.some(([value]) => value === state.district))
    names.push([state.district, state.district]);
  district.replaceChildren(
    make('option', { value: '' }, '不限'),
    ...names.map(([value, text]) => make('option', { value }, text)),
  );
  district.value = state.district ?? '';
}

function chips(name, counts, words) {
  const chosen = new Set((state[name] ?? '').split(',').filter(Boolean));
  const gone = [...chosen].filter((value) => !counts.some((count) => count.value === value));
  const all = [...counts, ...gone.map((value) => ({ value, count: 0 }))];
  const toggle = (value) => {
    if (!chosen.delete(value)) chosen.add(value);
    change({ [name]: [...chosen].join(',') });
  };
  document.querySelector(`[data-facet="${name}"]`).replaceChildren(
    ...all.map(({ value, count }) =>
      make(
        'button',
        {
          type: 'button',
          'data-value': value,
          'aria-pressed': String(chosen.has(value)),
          onclick: () => toggle(value),
        },
        `${words[value] ?? value} `,
        make('small', {}, String(count)),
      ),
    ),
  );
}

/** The controls say what the state says. */
function fillIn() {
  keyword.value = state.keyword ?? '';
  sort.value = state.sort ?? 'composite';
  for (const name of ['minPrice', 'maxPrice', 'minRating', 'capacity', 'radiusKm']) {
    filterForm.elements[name].value = state[name] ?? '';
  }
  filterForm.elements.radiusKm.disabled = !state.lat;
  sort.querySelector('[value="distance"]').disabled = !state.lat;
  const count = FILTERS.filter((name) => state[name]).length;
  at('filter-count').textContent = count > 0 ? `（${count}）` : '';
  document.title = state.keyword ? `${state.keyword} - 找民宿` : '找民宿';
}

function change(changes) {
  // Who insists on a spelling does so for that keyword.
  const insisting = 'keyword' in changes ? '' : state.autocorrect;
  state = { ...state, autocorrect: insisting, ...changes };
  return run();
}

function locate() {
  const button = at('locate');
  if (!navigator.geolocation) {
    button.textContent = '无法定位';
    return;
  }
  button.textContent = '定位中…';
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      button.textContent = '已定位';
      // About a hundred metres are near enough, and tell less.
      const round = (degrees) => degrees.toFixed(3);
      change({ lat: round(coords.latitude), lon: round(coords.longitude), datum: 'wgs84' });
    },
    () => {
      button.textContent = '无法定位';
    },
  );
}

// ---- listening

const suggestions = combobox(keyword, at('suggestions'), (item) => change({ keyword: item.text }));
form.addEventListener('submit', (event) => {
  event.preventDefault();
  suggestions.close();
  change({ keyword: keyword.value.trim() });
});
keyword.addEventListener('search', () => {
  if (keyword.value === '' && state.keyword) change({ keyword: '' });
});
sort.addEventListener('change', () => change({ sort: sort.value === 'composite' ? '' : sort.value }));
filterForm.addEventListener('change', (event) => {
  const { name, value } = event.target;
  if (name) change({ [name]: value });
});
filterForm.addEventListener('submit', (event) => event.preventDefault());
filterForm.addEventListener('reset', () => {
  const cleared = Object.fromEntries(FILTERS.map((name) => [name, '']));
  change({ ...cleared, lat: '', lon: '', datum: '', sort: state.sort === 'distance' ? '' : state.sort });
});
at('locate').addEventListener('click', locate);
mapButton.addEventListener('click', () => {
  map.hidden = !map.hidden;
  mapButton.setAttribute('aria-pressed', String(!map.hidden));
  showMap();
});
more.addEventListener('click', next);
addEventListener('popstate', () => {
  state = read();
  run({ push: false });
});

async function showHot() {
  try {
    const { items } = await hot();
    const chip = ({ keyword: text }) =>
      make('button', { type: 'button', onclick: () => change({ keyword: text }) }, text);
    at('hot').replaceChildren(...items.slice(0, 8).map(chip));
  } catch {
    // A page without popular searches is still one to search on.
  }
}

if (matchMedia('(min-width: 60rem)').matches) at('filters').open = true;
showHot();
run({ push: false });
