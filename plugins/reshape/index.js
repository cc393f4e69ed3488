// Gives an event's data another shape, and publishes it under another name if the task's metadata has one.
//
// Metadata: {"fields": {"customer.name": "user.fullName", "source": {"value": "shop"}}, "publish": "customer:changed"}

import { Permanent, log, metadata, plugin, publish } from 'innkeeper';
import { reshape } from './reshape.js';

export const handler = plugin((event, data) => {
  const { fields, publish: name } = metadata() ?? {};
  if (typeof fields !== 'object' || fields === null) {
    throw new Permanent('the metadata has no `fields`, such as {"fields": {"name": "user.name"}}');
  }
  const made = reshape(data, fields);
  if (name !== undefined) {
    publish(name, made);
    log.info(`published ${name}`);
  }
  return made;
});
