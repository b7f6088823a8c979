import type { Construct } from 'constructs';
import SEARCH_RULES_SCHEMA from '../../../../shared/domain/homestay/rules.schema.json' with { type: 'json' };
import { HotDocument, type HotDocuments, notUnderstood } from './hot-document.ts';
import { FIRST_SEARCH_RULES } from './search-rules-document.ts';

/** Which words mean the same, what counts in the composite order, what is never shown as a popular query. */
export class SearchRules extends HotDocument {
  constructor(scope: Construct, id: string, documents: HotDocuments) {
    super(scope, id, {
      documents,
      description: 'Synonyms and weights of the search of homestays, and what its popular queries leave out',
      first: FIRST_SEARCH_RULES,
      schema: SEARCH_RULES_SCHEMA,
      rollBackOn: (it) => [notUnderstood(it, 'search-homestays', 'search rules')],
    });
  }
}
