create table app_stops (
  app text not null, task text not null, session text not null, created_at bigint not null,
  primary key (task, app, session)
);
create index app_stops_by_age on app_stops (created_at);
