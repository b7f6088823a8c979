// What things are called.

export const ROOM_TYPES = {
  entire: '整套',
  single: '单人间',
  double: '大床房',
  twin: '双床房',
  family: '家庭房',
  private: '独立房间',
  shared: '合住',
};

export const FACILITIES = {
  wifi: '无线网络',
  parking: '停车位',
  breakfast: '早餐',
  air_conditioning: '空调',
  heating: '暖气',
  kitchen: '厨房',
  washer: '洗衣机',
  elevator: '电梯',
  projector: '投影',
  bathtub: '浴缸',
  garden: '院子',
  barbecue: '烧烤',
  pool: '泳池',
  karaoke: 'KTV',
  pets: '可带宠物',
  step_free: '无障碍',
  self_check_in: '自助入住',
  desk: '书桌',
};

export const KINDS = { place: '地点', query: '热搜', title: '民宿' };

export function yuan(fen) {
  return `¥${(fen / 100).toLocaleString('zh-CN', { maximumFractionDigits: 0 })}`;
}

export function distance(metres) {
  return metres < 1000 ? `${metres} 米` : `${(metres / 1000).toFixed(1)} 公里`;
}
