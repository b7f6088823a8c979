/** The risk policy that a stage begins with. Nobody is turned away. Counting for a limit costs a write, so limits are off until an operator wants them. */
export const FIRST_RISK_POLICY = {
  challengeAt: 50,
  blockAt: 100,
  limits: {
    perUser: { kind: 'sliding_window', limit: 20, windowSeconds: 60, mode: 'off', weight: 100 },
    perIp: { kind: 'sliding_window', limit: 600, windowSeconds: 60, mode: 'off', weight: 50 },
    perDevice: { kind: 'sliding_window', limit: 40, windowSeconds: 60, mode: 'off', weight: 50 },
    velocity: { kind: 'token_bucket', limit: 5, refillPerSecond: 1, mode: 'off', weight: 50 },
  },
  signals: {
    newAccount: { youngerThanSeconds: 86_400, mode: 'observe', weight: 30 },
    missingDevice: { mode: 'observe', weight: 20 },
  },
  allowList: [],
  blockList: [],
};
