"""One question's way through an application: form, files, passages, prompt, model, moderation, what is kept."""
