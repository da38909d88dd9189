alter table kb_documents add column archived bigint not null default 0;
alter table kb_documents add column disabled_at bigint;
alter table kb_documents add column updated_at bigint;
-- 1 while the index may not know yet what is said of the document here.
alter table kb_documents add column undescribed bigint not null default 0;

-- The passages of documents that are indexed. What the index has of one is its state at the revision `settled`; one that is deleted goes when the index has let it go.
create table kb_segments (
  tenant text not null,
  dataset text not null,
  document text not null,
  id text not null,
  position bigint not null,
  content text not null,
  answer text,
  heading text not null,
  first bigint not null,
  past bigint not null,
  keywords text not null,
  tokens bigint not null,
  enabled bigint not null default 1,
  hits bigint not null default 0,
  revision bigint not null default 0,
  settled bigint not null default 0,
  -- Grows whenever somebody begins to tell the index of it: who finds another's number afterwards came too late.
  claim bigint not null default 0,
  deleted bigint not null default 0,
  created_at bigint not null,
  updated_at bigint not null,
  completed_at bigint,
  disabled_at bigint,
  primary key (tenant, dataset, document, id),
  foreign key (tenant, dataset, document) references kb_documents (tenant, dataset, id) on delete cascade
);
create unique index kb_segments_by_position on kb_segments (tenant, dataset, document, position);

-- What a parent is searched by.
create table kb_children (
  tenant text not null,
  dataset text not null,
  document text not null,
  segment text not null,
  id text not null,
  position bigint not null,
  content text not null,
  custom bigint not null,
  created_at bigint not null,
  updated_at bigint not null,
  primary key (tenant, dataset, document, segment, id),
  foreign key (tenant, dataset, document, segment) references kb_segments (tenant, dataset, document, id) on delete cascade
);

create table kb_tags (
  tenant text not null,
  id text not null,
  name text not null,
  created_at bigint not null,
  primary key (tenant, id)
);
create unique index kb_tags_by_name on kb_tags (tenant, name);
create table kb_tag_bindings (
  tenant text not null,
  tag text not null,
  dataset text not null,
  primary key (tenant, tag, dataset),
  foreign key (tenant, tag) references kb_tags (tenant, id) on delete cascade,
  foreign key (tenant, dataset) references kb_datasets (tenant, id) on delete cascade
);
create index kb_tag_bindings_by_dataset on kb_tag_bindings (tenant, dataset);

create table kb_fields (
  tenant text not null,
  dataset text not null,
  id text not null,
  name text not null,
  kind text not null,
  created_at bigint not null,
  primary key (tenant, dataset, id),
  foreign key (tenant, dataset) references kb_datasets (tenant, id) on delete cascade
);
create unique index kb_fields_by_name on kb_fields (tenant, dataset, name);

-- What signs the addresses from which files are fetched.
create table kb_secrets (
  name text not null primary key,
  body bytea not null
);
