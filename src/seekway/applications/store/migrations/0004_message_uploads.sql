create table app_message_uploads (
  upload text not null, message text not null, primary key (upload, message)
);
create index app_message_uploads_by_message on app_message_uploads (message);
insert into app_message_uploads (upload, message)
  select u.id, m.id from app_messages m join app_uploads u on u.app = m.app
  where m.files <> '[]' and m.files like '%"upload":"' || u.id || '"%';
drop index app_messages_with_files;
create index app_uploads_by_age on app_uploads (created_at);
