import type { Construct } from 'constructs';
import CHANNELS_SCHEMA from '../../../../shared/domain/notification/channels.schema.json' with {
  type: 'json',
};
import { HotDocument, type HotDocuments, notUnderstood } from './hot-document.ts';
import { type FirstChannels, firstChannels } from './notification-channels-document.ts';

/** Which providers serve each channel, in which order, how fast. */
export class NotificationChannels extends HotDocument {
  constructor(scope: Construct, id: string, documents: HotDocuments, first: FirstChannels) {
    super(scope, id, {
      documents,
      description: 'Which providers serve each channel of notifications',
      first: firstChannels(first),
      schema: CHANNELS_SCHEMA,
      // Not on a provider that fails: a new version is the way away from it.
      rollBackOn: (it) => [notUnderstood(it, 'dispatch-notification', 'channels of notifications')],
    });
  }
}
