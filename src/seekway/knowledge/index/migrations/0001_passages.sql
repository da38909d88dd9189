-- Numbers grow and are never given twice, so that whoever knows the greatest he has read finds what came after it.
create table datasets (
  number integer primary key autoincrement,
  tenant text not null,
  id text not null,
  name text not null,
  embedding_model text not null,
  dimensions bigint not null,
  searched bigint not null default 0,
  created_at bigint not null,
  unique (tenant, id),
  unique (tenant, name)
);

create table documents (
  number integer primary key autoincrement,
  dataset bigint not null references datasets (number) on delete cascade,
  id text not null,
  name text not null,
  enabled bigint not null,
  metadata text not null,
  created_at bigint not null,
  unique (dataset, id)
);

create table passages (
  number integer primary key autoincrement,
  document bigint not null references documents (number) on delete cascade,
  position bigint not null,
  body text not null,
  first bigint not null,
  past bigint not null,
  answer text,
  heading text not null,
  unique (document, position)
);

-- What is searched: one or several for each passage; body is null where it is the passage's own.
create table keys (
  number integer primary key autoincrement,
  passage bigint not null references passages (number) on delete cascade,
  body text
);
create index keys_of_passage on keys (passage, number);

-- Rows of little-endian float16, of unit length.
create table vectors (
  key integer primary key references keys (number) on delete cascade,
  dataset bigint not null,
  document bigint not null,
  passage bigint not null,
  vector bytea not null
);
create index vectors_of_dataset on vectors (dataset, key);

create table keywords (
  dataset bigint not null,
  keyword text not null,
  key bigint not null references keys (number) on delete cascade,
  primary key (dataset, keyword, key)
) without rowid;
create index keywords_of_key on keywords (key);
