-- Tasks to make jobs of again and again: strings in task_data may hold {{ name }} placeholders.

CREATE TABLE templates (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id    bigint NOT NULL,
    name        text NOT NULL,
    description text,
    task_type   text NOT NULL,
    task_data   jsonb NOT NULL,
    defaults    jsonb NOT NULL,  -- a job's own options, as they were given
    created_at  timestamptz NOT NULL DEFAULT now(),

    UNIQUE (owner_id, name),
    CONSTRAINT task_data_is_an_object CHECK (jsonb_typeof(task_data) = 'object'),
    CONSTRAINT defaults_are_an_object CHECK (jsonb_typeof(defaults) = 'object')
);
