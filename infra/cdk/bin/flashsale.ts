import { App } from 'aws-cdk-lib';
import { ConfigError } from '../lib/config.ts';
import { addFlashsale } from '../lib/flashsale.ts';

try {
  addFlashsale(new App());
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(`flashsale: ${error.message}`);
  process.exit(1);
}
