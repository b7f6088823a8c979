// The search page in a real browser, on a deployed stack with its seeded homestays.
//
//   PAGE_URL=http://127.0.0.1:4321/ npm test
//   CHROMIUM=/path/to/chromium, SCREENSHOT=docs/figures/search-page.png

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { chromium } from 'playwright-core';

const PAGE_URL = process.env.PAGE_URL;
assert.ok(PAGE_URL, 'PAGE_URL says where the page is served: `make dev` prints it');

let browser;
let context;
let page;
let errors;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    // As root there is no sandbox to be had; nothing but the page is asked for.
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
});
after(() => browser?.close());
beforeEach(() => visit({}));
afterEach(async () => {
  await context.close();
  assert.deepEqual(errors, [], 'the page reported no error');
});

async function visit(options, query = '') {
  await context?.close();
  context = await browser.newContext({ viewport: { width: 1200, height: 900 }, locale: 'zh-CN', ...options });
  page = await context.newPage();
  errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.setDefaultTimeout(15_000);
  await page.goto(PAGE_URL + query);
  await page.locator('.card').first().waitFor();
}

const box = () => page.getByRole('combobox', { name: '关键词' });
const cards = () => page.locator('.card');
const titles = () => page.locator('.card .title').allTextContents();
const total = async () => Number((await page.locator('#summary').textContent()).replace(/\D/g, ''));

/** Does something that makes the page search, and waits for its results. */
async function searching(act) {
  const found = page.waitForResponse((answer) => answer.url().includes('/homestays/search') && answer.status() === 200);
  await act();
  const answer = await (await found).json();
  await page.waitForFunction(() => !document.querySelector('#results').classList.contains('loading'));
  return answer;
}

async function search(text) {
  await box().fill(text);
  return searching(() => box().press('Enter'));
}

test('a keyword in hanzi finds, and what matched is marked', async () => {
  await search('三里屯大床房');
  assert.ok((await total()) > 0);
  const marks = await page.locator('.card mark').allTextContents();
  assert.ok(
    marks.some((text) => text.includes('三里屯')),
    marks.join(' '),
  );
});

test('pinyin and initials find the same place', async () => {
  for (const text of ['sanlitun', 'slt']) {
    await search(text);
    assert.match((await titles())[0], /三里屯/, text);
  }
});

test('suggestions come while typing and are chosen by keyboard', async () => {
  const input = box();
  await input.pressSequentially('sanli', { delay: 20 });
  const option = page.getByRole('option').filter({ hasText: '三里屯' }).first();
  await option.waitFor();
  assert.equal(await input.getAttribute('aria-expanded'), 'true');
  await searching(async () => {
    await input.press('ArrowDown');
    await input.press('Enter');
  });
  assert.equal(await input.getAttribute('aria-expanded'), 'false');
  assert.match(await input.inputValue(), /三里/);
});

test('filters narrow the results, stand in the address, and can be cleared', async () => {
  const all = await total();
  await searching(() => page.locator('[data-facet=facilities] button').last().click());
  const some = await total();
  assert.ok(some > 0 && some < all, `${some} of ${all}`);
  assert.match(page.url(), /facilities=/);
  await searching(() =>
    page
      .locator('[name=maxPrice]')
      .fill('300')
      .then(() => page.keyboard.press('Tab')),
  );
  const prices = await page.locator('.price').allTextContents();
  assert.ok(
    prices.every((text) => Number(text.replace(/\D/g, '')) <= 300),
    prices.join(' '),
  );
  await searching(() => page.getByRole('button', { name: '清除筛选' }).click());
  assert.equal(await total(), all);
});

test('the cheapest come first when asked for, and more can be had', async () => {
  await searching(() => page.locator('#sort').selectOption('price_asc'));
  await searching(() => page.getByRole('button', { name: '更多' }).click());
  const prices = (await page.locator('.price').allTextContents()).map((text) => Number(text.replace(/\D/g, '')));
  assert.equal(prices.length, 40);
  assert.deepEqual(
    prices,
    prices.toSorted((a, b) => a - b),
  );
  const ids = await cards().evaluateAll((found) => found.map((card) => card.dataset.id));
  assert.equal(new Set(ids).size, ids.length, 'no homestay twice');
});

test('who says where they are gets distances, nearest first', async () => {
  await visit({ geolocation: { latitude: 39.936, longitude: 116.4546 }, permissions: ['geolocation'] });
  await searching(() => page.getByRole('button', { name: '用我的位置' }).click());
  await searching(() => page.locator('#sort').selectOption('distance'));
  const metres = (await page.locator('.card .distance').allTextContents()).map((text) =>
    text.includes('公里') ? Number.parseFloat(text) * 1000 : Number.parseFloat(text),
  );
  assert.ok(metres.length > 0);
  assert.deepEqual(
    metres,
    metres.toSorted((a, b) => a - b),
  );
  await page.getByRole('button', { name: '地图' }).click();
  assert.ok((await page.locator('#map circle').count()) > metres.length, 'a dot for each, and one for the guest');
});

test('a typing error is put right', async () => {
  await search('三里囤');
  await page.locator('#hint').filter({ hasText: '三里屯' }).waitFor();
  assert.match((await titles())[0], /三里屯/);
});

test('who insists on a spelling gets it, until something else is searched for', async () => {
  await search('三里囤');
  const insist = page.getByRole('button', { name: '仍然搜索「三里囤」' });
  const found = await searching(() => insist.click());
  assert.deepEqual([found.keyword, found.correctedFrom], ['三里囤', undefined]);
  assert.match(page.url(), /autocorrect=false/);
  assert.equal(await box().inputValue(), '三里囤');
  await page.locator('#hint').filter({ hasText: '是不是要找' }).waitFor();
  await search('三里囤');
  await insist.waitFor();
  assert.doesNotMatch(page.url(), /autocorrect/);
});

test('nothing found says so', async () => {
  await search('qqzzxxvv');
  await page.getByText('没有找到').waitFor();
});

test('opening a result tells the search which one', async () => {
  const click = page.waitForRequest(
    (request) => request.url().endsWith('/v1/search-clicks') && request.method() === 'POST',
  );
  await page.locator('.card .title').first().click();
  const body = (await click).postDataJSON();
  assert.equal(body.position, 1);
  assert.equal(body.homestayId, await cards().first().getAttribute('data-id'));
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  assert.equal(await page.getByRole('dialog').count(), 0);
});

test('the address brings back what was searched, and back goes back', async () => {
  await visit({}, '?keyword=%E6%95%85%E5%AE%AB&sort=rating');
  assert.equal(await box().inputValue(), '故宫');
  assert.equal(await page.locator('#sort').inputValue(), 'rating');
  await search('三里屯');
  await searching(() => page.goBack());
  assert.equal(await box().inputValue(), '故宫');
});

test('an outage is said in words, and can be tried again', async () => {
  await page.route('**/v1/homestays/search*', (route) => route.abort());
  await box().fill('故宫');
  await box().press('Enter');
  await page.getByRole('alert').waitFor();
  await page.unroute('**/v1/homestays/search*');
  await searching(() => page.getByRole('button', { name: '再试一次' }).click());
  assert.ok((await cards().count()) > 0);
});

test('it fits a phone', async () => {
  await visit({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  await search('三里屯');
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${overflow} px too wide`);
  const small = await page
    .locator('button:visible, select:visible, input:visible')
    .evaluateAll((controls) =>
      controls
        .filter((control) => !control.closest('.card') && control.getBoundingClientRect().height < 36)
        .map((control) => control.outerHTML),
    );
  assert.deepEqual(small, [], 'what is tapped is large enough');
});

test('a picture of it', { skip: !process.env.SCREENSHOT }, async () => {
  await search('三里屯大床房');
  await page.screenshot({ path: process.env.SCREENSHOT });
});
