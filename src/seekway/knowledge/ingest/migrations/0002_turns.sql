-- A revision is one process's work on a document, or a change that ends such work: who writes by an older one is refused.
alter table kb_documents add column revision bigint not null default 0;
create index kb_documents_marked on kb_documents (deleted) where deleted = 1;

-- Who does what only one process at a time shall do; beat changes as long as the holder lives.
create table kb_leases (
  name text not null primary key,
  holder text not null,
  beat bigint not null
);
