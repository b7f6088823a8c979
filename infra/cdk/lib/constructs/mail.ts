import { Stack } from 'aws-cdk-lib';
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import {
  ConfigurationSet,
  ConfigurationSetEventDestination,
  EmailIdentity,
  EmailSendingEvent,
  EventDestination,
  Identity,
} from 'aws-cdk-lib/aws-ses';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { MailSender } from '../config.ts';

/** What becomes of a mail that SES took: the rest of its events tells nothing that anyone acts on. */
const FATES = [
  EmailSendingEvent.DELIVERY,
  EmailSendingEvent.BOUNCE,
  EmailSendingEvent.COMPLAINT,
  EmailSendingEvent.REJECT,
];

/** Who mails come from, and where SES tells what became of them. */
export class Mail extends Construct {
  /** The address in the header. */
  readonly from: string;
  readonly configurationSetName: string;
  /** What became of mails. */
  readonly events: Topic;

  private readonly arns: string[];

  constructor(scope: Construct, id: string, sender: MailSender) {
    super(scope, id);
    // Who owns the name proves it to SES by the DNS records, or the mail, that SES asks for.
    new EmailIdentity(this, 'Identity', { identity: identityOf(sender) });
    const configurationSet = new ConfigurationSet(this, 'ConfigurationSet');
    this.events = new Topic(this, 'Events', { enforceSSL: true });
    new ConfigurationSetEventDestination(this, 'ToEvents', {
      configurationSet,
      destination: EventDestination.snsTopic(this.events),
      events: FATES,
    });

    this.from = sender.from;
    this.configurationSetName = configurationSet.configurationSetName;
    const arn = (resource: string, resourceName: string) =>
      Stack.of(this).formatArn({ service: 'ses', resource, resourceName });
    this.arns = [
      arn('identity', sender.identity),
      arn('configuration-set', configurationSet.configurationSetName),
    ];
  }

  allowSending(): PolicyStatement {
    return new PolicyStatement({ effect: Effect.ALLOW, actions: ['ses:SendEmail'], resources: this.arns });
  }
}

function identityOf({ identity }: MailSender): Identity {
  return identity.includes('@') ? Identity.email(identity) : Identity.domain(identity);
}
