import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { FilterRule } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import type { HomestayTable } from '../constructs/homestay-table.ts';
import type { JobBucket } from '../constructs/job-bucket.ts';
import { outputNames, RustFunction } from '../constructs/rust-function.ts';
import type { SearchIndex } from '../constructs/search-index.ts';
import type { SearchRules } from '../constructs/search-rules.ts';
import type { SearchTable } from '../constructs/search-table.ts';
import { followTable, ScheduledFunction, takeFrom } from '../constructs/triggers.ts';
import type { DeadLetterQueue, WorkQueue } from '../constructs/work-queue.ts';

export interface SearchStackProps extends StackProps {
  readonly config: StageConfig;
  readonly homestayTable: HomestayTable;
  readonly searchTable: SearchTable;
  readonly jobBucket: JobBucket;
  readonly importQueue: WorkQueue;
  readonly reindexQueue: WorkQueue;
  readonly searchEventQueue: WorkQueue;
  readonly index: SearchIndex;
  readonly rules: SearchRules;
}

/** Homestays from the host's hand to the guest's eye: written, indexed, found; and what is searched for. */
export class SearchStack extends Stack {
  readonly functions;
  /** Changes of homestays that could not be indexed. */
  readonly unindexed: DeadLetterQueue;

  constructor(scope: Construct, id: string, props: SearchStackProps) {
    const { config, homestayTable, searchTable, jobBucket, index, rules, ...others } = props;
    const { importQueue, reindexQueue, searchEventQueue, ...stackProps } = others;
    super(scope, id, stackProps);
    const ofHomestays = { HOMESTAY_TABLE: homestayTable.tableName };
    const ofSearches = { SEARCH_TABLE: searchTable.tableName };
    const imports = { IMPORT_QUEUE_URL: importQueue.queueUrl, JOB_BUCKET: jobBucket.bucketName };
    const { network } = index;

    this.functions = {
      'manage-homestays': new RustFunction(this, 'ManageHomestays', {
        config,
        name: 'manage-homestays',
        description: 'Lets hosts offer homestays, and admins import files of them',
        memorySize: 256,
        timeout: Duration.seconds(10),
        p99Goal: Duration.seconds(1),
        environment: { ...ofHomestays, ...imports },
        permissions: [
          homestayTable.allowOn('HOMESTAY#*', ...READ_AND_WRITE),
          homestayTable.allowListingByHost(),
          homestayTable.allowOn('IMPORT#*', ...READ_AND_WRITE),
          homestayTable.allowListingImports(),
          // Presigns: who uploads has the function's permissions for that one file.
          jobBucket.allowIn('imports/uploads/*', 's3:PutObject'),
          jobBucket.allowIn('imports/*', 's3:GetObject'),
          jobBucket.allowListing('imports/*'),
          importQueue.allow('sqs:SendMessage'),
        ],
      }),

      'import-homestays': new RustFunction(this, 'ImportHomestays', {
        config,
        name: 'import-homestays',
        description: 'Works through a file of homestays, a part of it at a time',
        memorySize: 512,
        timeout: importQueue.handlerTimeout,
        p99Goal: Duration.seconds(40),
        environment: { ...ofHomestays, ...imports },
        permissions: [
          homestayTable.allowOn(
            'HOMESTAY#*',
            'dynamodb:BatchGetItem',
            'dynamodb:PutItem',
            'dynamodb:UpdateItem',
          ),
          homestayTable.allowOn('IMPORT#*', 'dynamodb:GetItem', 'dynamodb:UpdateItem'),
          jobBucket.allowIn('imports/*', 's3:GetObject', 's3:PutObject'),
          jobBucket.allowListing('imports/*'),
          // The next part.
          importQueue.allow('sqs:SendMessage'),
        ],
      }),

      'index-homestay': new RustFunction(this, 'IndexHomestay', {
        config,
        name: 'index-homestay',
        description: 'Puts changes of homestays into the index, by version',
        // The words of Chinese take 33 MB, the writer's buffers more; CPU comes with memory.
        memorySize: 1024,
        // Waits for the one writer for 10 s at most.
        timeout: Duration.seconds(60),
        p99Goal: Duration.seconds(2),
        environment: index.environment,
        network,
        permissions: index.allowWriting(),
      }),

      'reindex-homestays': new ScheduledFunction(this, 'ReindexHomestays', {
        config,
        name: 'reindex-homestays',
        description: 'Builds the index anew, a step at a time; every hour compares it with the table',
        everyMinutes: 60,
        // One vCPU: thousands of homestays are cut into words.
        memorySize: 1769,
        timeout: reindexQueue.handlerTimeout,
        p99Goal: Duration.minutes(4),
        environment: {
          ...ofHomestays,
          REINDEX_QUEUE_URL: reindexQueue.queueUrl,
          ...index.environment,
          ...index.waysTo(this, 'SQS'),
        },
        network,
        permissions: [
          homestayTable.allowReadingAll(),
          homestayTable.allowOn('HOMESTAY#*', 'dynamodb:BatchGetItem'),
          // DeleteItem: the mark of a job that is running.
          homestayTable.allowOn('REBUILD#*', ...READ_WRITE_AND_DELETE),
          // The next step.
          reindexQueue.allow('sqs:SendMessage'),
          ...index.allowWriting(),
        ],
      }),

      'manage-search-index': new RustFunction(this, 'ManageSearchIndex', {
        config,
        name: 'manage-search-index',
        description: 'Lets admins look at the index, rebuild it and go back to the one before',
        memorySize: 512,
        timeout: Duration.seconds(20),
        p99Goal: Duration.seconds(3),
        environment: {
          ...ofHomestays,
          REINDEX_QUEUE_URL: reindexQueue.queueUrl,
          ...index.environment,
          ...index.waysTo(this, 'SQS'),
        },
        network,
        permissions: [
          homestayTable.allowOn('REBUILD#*', ...READ_WRITE_AND_DELETE),
          ...homestayTable.allowListingRebuilds(),
          reindexQueue.allow('sqs:SendMessage'),
          ...index.allowWriting(),
        ],
      }),

      'search-homestays': new RustFunction(this, 'SearchHomestays', {
        config,
        name: 'search-homestays',
        description: 'Finds homestays by words, place and filters',
        // One vCPU: a search is arithmetic over an index in memory, and somebody waits.
        memorySize: 1769,
        timeout: Duration.seconds(5),
        p99Goal: Duration.millis(500),
        environment: {
          ...index.environment,
          SEARCH_RULES: rules.location,
          SEARCH_EVENT_QUEUE_URL: searchEventQueue.queueUrl,
          ...index.waysTo(this, 'SQS', 'APPCONFIGDATA'),
        },
        network,
        permissions: [
          ...index.allowReading(),
          rules.allowReading(),
          searchEventQueue.allow('sqs:SendMessage'),
        ],
      }),

      'suggest-homestays': new RustFunction(this, 'SuggestHomestays', {
        config,
        name: 'suggest-homestays',
        description: 'Completes what is being typed: places, popular queries, titles',
        memorySize: 1769,
        timeout: Duration.seconds(5),
        p99Goal: Duration.millis(300),
        environment: { ...ofSearches, ...index.environment },
        network,
        permissions: [...index.allowReading(), searchTable.allowOn('HOT', 'dynamodb:GetItem')],
      }),

      'list-hot-searches': new RustFunction(this, 'ListHotSearches', {
        config,
        name: 'list-hot-searches',
        description: 'Shows anyone the popular queries',
        memorySize: 256,
        timeout: Duration.seconds(5),
        p99Goal: Duration.millis(500),
        environment: ofSearches,
        permissions: [searchTable.allowOn('HOT', 'dynamodb:GetItem')],
      }),

      'manage-search-history': new RustFunction(this, 'ManageSearchHistory', {
        config,
        name: 'manage-search-history',
        description: 'Keeps what a guest searched for, for the guest alone to see and to delete',
        memorySize: 256,
        timeout: Duration.seconds(5),
        p99Goal: Duration.millis(500),
        environment: ofSearches,
        permissions: [
          searchTable.allowOn(
            'HISTORY#*',
            'dynamodb:Query',
            'dynamodb:PutItem',
            'dynamodb:DeleteItem',
            'dynamodb:BatchWriteItem',
          ),
        ],
      }),

      'record-search-click': new RustFunction(this, 'RecordSearchClick', {
        config,
        name: 'record-search-click',
        description: 'Notes which result of a search was opened',
        memorySize: 256,
        timeout: Duration.seconds(5),
        p99Goal: Duration.millis(500),
        environment: { SEARCH_EVENT_QUEUE_URL: searchEventQueue.queueUrl },
        permissions: [searchEventQueue.allow('sqs:SendMessage')],
      }),

      'count-searches': new RustFunction(this, 'CountSearches', {
        config,
        name: 'count-searches',
        description: 'Keeps what is searched for and opened, to be counted',
        memorySize: 256,
        timeout: searchEventQueue.handlerTimeout,
        p99Goal: Duration.seconds(5),
        environment: ofSearches,
        permissions: [
          searchTable.allowOn('SALT', 'dynamodb:GetItem', 'dynamodb:PutItem'),
          searchTable.allowOn('FACTS#*', 'dynamodb:BatchWriteItem'),
          searchTable.allowOn('LATE', 'dynamodb:PutItem'),
        ],
      }),

      'rank-hot-searches': new ScheduledFunction(this, 'RankHotSearches', {
        config,
        name: 'rank-hot-searches',
        description: 'Counts hours and days of searches, and ranks the popular queries anew',
        everyMinutes: 5,
        // An hour may have hundreds of thousands of events.
        memorySize: 512,
        // Ends before the next run begins.
        timeout: Duration.minutes(4),
        p99Goal: Duration.minutes(1),
        environment: {
          ...ofSearches,
          SEARCH_RULES: rules.location,
          // On this machine all searchers have one address, and nothing would be popular.
          ...(config.stage === 'local' && { HOT_MIN_CLIENTS: '1' }),
        },
        permissions: [
          searchTable.allowOn('FACTS#*', 'dynamodb:Query'),
          searchTable.allowOn('LATE', 'dynamodb:Query', 'dynamodb:DeleteItem'),
          searchTable.allowOn('HOURS#*', 'dynamodb:Query', 'dynamodb:PutItem'),
          searchTable.allowOn('VOTES', 'dynamodb:Query', 'dynamodb:PutItem'),
          searchTable.allowOn('DAYS', 'dynamodb:PutItem'),
          searchTable.allowOn('HOT', 'dynamodb:GetItem', 'dynamodb:PutItem'),
          rules.allowReading(),
        ],
      }),

      'show-search-report': new RustFunction(this, 'ShowSearchReport', {
        config,
        name: 'show-search-report',
        description: 'Shows admins what people search for, do not find, and open',
        memorySize: 256,
        // Years of days.
        timeout: Duration.seconds(10),
        p99Goal: Duration.seconds(3),
        environment: ofSearches,
        permissions: [searchTable.allowOn('DAYS', 'dynamodb:Query')],
      }),
    };

    jobBucket.acknowledgeFolders(this);
    for (const name of INDEXED) index.acknowledge(this.functions[name]);
    takeFrom(importQueue, this.functions['import-homestays'], { batchSize: 1, maxConcurrency: 5 });
    // An index has one writer, and a rebuild is one job.
    takeFrom(reindexQueue, this.functions['reindex-homestays'], { batchSize: 1, maxConcurrency: 2 });
    takeFrom(searchEventQueue, this.functions['count-searches'], { batchSize: 1000, maxConcurrency: 5 });
    this.unindexed = followTable(homestayTable, this.functions['index-homestay'], {
      of: 'Homestays',
      // Imports and rebuilds are in the table, too.
      filter: { dynamodb: { Keys: { pk: { S: FilterRule.beginsWith('HOMESTAY#') } } } },
      // A commit of the index takes as long for a hundred changes as for one.
      batchSize: 100,
      // A host looks for what was just published.
      maxBatchingWindow: Duration.seconds(0),
      // An index in a folder has one writer, and batches at once would wait for it.
      parallelism: 1,
    });
    outputNames(Object.values(this.functions));
  }
}

const READ_AND_WRITE = ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'];
const READ_WRITE_AND_DELETE = ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:DeleteItem'];

/** Those that reach for the index. */
const INDEXED = [
  'index-homestay',
  'reindex-homestays',
  'manage-search-index',
  'search-homestays',
  'suggest-homestays',
] as const;
