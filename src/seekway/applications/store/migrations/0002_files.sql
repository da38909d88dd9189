create index app_messages_with_files on app_messages (app) where files <> '[]';
