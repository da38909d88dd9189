-- Files that a knowledge base follows: what became of each. A document goes with its last file, if a source brought it (own).
create table kb_source_files (
  tenant text not null,
  dataset text not null,
  source text not null,
  path text not null,
  signature text not null,
  document text not null,
  own bigint not null,
  primary key (tenant, dataset, source, path)
);
create index kb_source_files_by_document on kb_source_files (tenant, dataset, document);
