create table app_apps (
  tenant text not null, id text not null primary key, slug text not null, name text not null, definition text not null,
  description text not null, icon text not null, icon_type text not null, icon_background text not null,
  tags text not null, author text not null, source text not null, enabled integer not null,
  created_at bigint not null, updated_at bigint not null, unique (tenant, slug)
);
create table app_users (
  tenant text not null, app text not null, id text not null primary key, session text not null, anonymous integer not null,
  created_at bigint not null, updated_at bigint not null, unique (app, session)
);
create table app_conversations (
  app text not null, id text not null primary key, "user" text not null, name text not null, inputs text not null,
  introduction text not null, status text not null, summary text not null, summed_up bigint not null,
  created_at bigint not null, updated_at bigint not null
);
create index app_conversations_by_user on app_conversations (app, "user", updated_at);
create table app_variables (
  conversation text not null, id text not null primary key, name text not null, value_type text not null, value text not null,
  description text not null, created_at bigint not null, updated_at bigint not null, unique (conversation, name)
);
create table app_messages (
  app text not null, conversation text not null, id text not null primary key, "user" text not null, position bigint not null,
  query text not null, inputs text not null, answer text not null, reasoning text not null, status text not null,
  error text not null, files text not null, sources text not null, cost text not null, annotation text not null,
  model text not null, created_at bigint not null, updated_at bigint not null
);
create index app_messages_by_conversation on app_messages (conversation, position);
create index app_messages_by_app on app_messages (app, created_at);
create table app_thoughts (
  message text not null, id text not null primary key, position bigint not null, text text not null, tool text not null,
  labels text not null, tool_input text not null, observation text not null, files text not null, created_at bigint not null
);
create index app_thoughts_by_message on app_thoughts (message, position);
create table app_feedbacks (
  app text not null, conversation text not null, message text not null, id text not null primary key, "user" text not null,
  rating text not null, content text not null, created_at bigint not null, updated_at bigint not null,
  unique (message, "user")
);
create index app_feedbacks_by_app on app_feedbacks (app, created_at);
create table app_annotations (
  app text not null, id text not null primary key, question text not null, answer text not null,
  hit_count bigint not null, created_at bigint not null
);
create index app_annotations_by_app on app_annotations (app, created_at);
create table app_annotation_vectors (
  annotation text not null, model text not null, vector bytea not null, primary key (annotation, model)
);
create table app_uploads (
  app text not null, id text not null primary key, "user" text not null, name text not null, size bigint not null,
  extension text not null, mime text not null, created_at bigint not null
);
create table app_upload_bodies (
  upload text not null primary key, body bytea not null
);
