-- Asked every second whether there are any; without these every segment and document would be read for it.
create index kb_segments_unsettled on kb_segments (tenant, dataset, document) where settled < revision;
create index kb_documents_undescribed on kb_documents (tenant, dataset, id) where undescribed = 1;
