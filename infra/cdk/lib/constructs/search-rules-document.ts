/**
 * The search rules that a stage begins with: the weights that `domain-homestay` has built in, and synonyms for rooms and what
 * they have. Those of a city, and what is not to be shown as a popular query, are for operators to add.
 */
export const FIRST_SEARCH_RULES = {
  synonyms: [
    '大床房, 双人房, 大床, 大床间, 双人间',
    '标间, 标准间, 双床房, 双床, 双床间',
    '单人房, 单人间',
    '家庭房, 亲子房, 亲子间',
    '整租, 整套, 整套出租',
    '民宿, homestay, bnb',
    '公寓, apartment, apt',
    '别墅, villa',
    'wifi, 无线, 无线网, 无线网络',
    '停车, 车位, 停车位, 停车场, 免费停车',
    '早餐, 含早, breakfast',
    '厨房, 做饭, 可做饭',
    '宠物, 宠物友好, 可带宠物, 带宠物',
    '泳池, 游泳池',
    '地铁, 地铁站, 地铁口, metro, subway',
  ],
  ranking: {
    rating: 6,
    sales: 1,
    distanceFloor: 0.1,
    distanceHalfM: 3000,
    freshness: 0.1,
    freshnessHalfDays: 90,
    boosts: { title: 5, subtitle: 2, facts: 3, info: 1, pinyin: 4, initials: 3 },
  },
  blocked: [],
};
