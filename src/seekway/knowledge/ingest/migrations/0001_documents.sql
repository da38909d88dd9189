-- Moments are milliseconds since 1970.
create table kb_datasets (
  tenant text not null,
  id text not null,
  name text not null,
  description text not null,
  embedding_model text not null,
  dimensions bigint not null,
  settings text not null,
  deleted bigint not null default 0,
  created_at bigint not null,
  updated_at bigint not null,
  primary key (tenant, id)
);
-- The name of one that is being deleted is free.
create unique index kb_datasets_by_name on kb_datasets (tenant, name) where deleted = 0;

-- Files as they came, each once for a tenant.
create table kb_files (
  tenant text not null,
  digest text not null,
  body bytea not null,
  primary key (tenant, digest)
);

create table kb_documents (
  tenant text not null,
  dataset text not null,
  id text not null,
  position bigint not null,
  batch text not null,
  name text not null,
  mime text,
  digest text not null,
  size bigint not null,
  form text not null,
  language text not null,
  rule text not null,
  metadata text not null,
  enabled bigint not null,
  deleted bigint not null default 0,
  status text not null,
  error text,
  characters bigint not null default 0,
  tokens bigint not null default 0,
  segments bigint not null default 0,
  segments_done bigint not null default 0,
  created_at bigint not null,
  started_at bigint,
  parsed_at bigint,
  cleaned_at bigint,
  split_at bigint,
  completed_at bigint,
  paused_at bigint,
  stopped_at bigint,
  primary key (tenant, dataset, id),
  foreign key (tenant, dataset) references kb_datasets (tenant, id)
);
create index kb_documents_by_digest on kb_documents (tenant, digest);
create index kb_documents_by_batch on kb_documents (tenant, dataset, batch);
create index kb_documents_by_status on kb_documents (status, created_at);

-- What a document that is being indexed was cut into, and what of it has been embedded; gone when it is completed.
create table kb_cuts (
  tenant text not null,
  dataset text not null,
  document text not null,
  passages bytea not null,
  primary key (tenant, dataset, document)
);
create table kb_embedded (
  tenant text not null,
  dataset text not null,
  document text not null,
  first bigint not null,
  vectors bytea not null,
  primary key (tenant, dataset, document, first)
);
