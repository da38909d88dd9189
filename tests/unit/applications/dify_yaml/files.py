"""Files as different versions of Dify write them, with made-up content."""

from __future__ import annotations

OLD_CHAT = b"""
app:
  description: ''
  icon: "\\U0001F916"
  icon_background: '#FFEAD5'
  mode: chat
  name: "\xe5\xae\xa2\xe6\x9c\x8d\xe5\x8a\xa9\xe6\x89\x8b"
kind: app
model_config:
  agent_mode:
    enabled: false
    max_iteration: 5
    strategy: function_call
    tools: []
  annotation_reply:
    enabled: false
  chat_prompt_config: {}
  completion_prompt_config: {}
  dataset_configs:
    datasets:
      datasets:
      - dataset:
          enabled: true
          id: 7f5c1d0e-encrypted
      - dataset:
          enabled: false
          id: switched-off
    retrieval_model: multiple
    top_k: 6
    score_threshold: null
    score_threshold_enabled: true
    reranking_enable: true
    reranking_mode: weighted_score
    weights:
      weight_type: customized
      keyword_setting:
        keyword_weight: 0.4
      vector_setting:
        vector_weight: 0.6
  dataset_query_variable: ''
  external_data_tools: []
  file_upload:
    image:
      detail: low
      enabled: true
      number_limits: 2
      transfer_methods:
      - remote_url
  model:
    completion_params:
      max_tokens: 512
      stop: []
      temperature: 0.7
    mode: chat
    name: gpt-4o
    provider: openai
  more_like_this:
    enabled: false
  opening_statement: Hello {{name}}!
  pre_prompt: You serve {{name}}.
  prompt_type: simple
  retriever_resource:
    enabled: true
  sensitive_word_avoidance:
    configs: []
    enabled: false
    type: ''
  speech_to_text:
    enabled: true
  suggested_questions:
  - How do I return something?
  - ''
  suggested_questions_after_answer:
    enabled: true
  text_to_speech:
    enabled: false
    language: ''
    voice: ''
  user_input_form:
  - text-input:
      default: ''
      label: Your name
      max_length: 48
      required: true
      variable: name
  - select:
      default: gold
      label: Level
      options:
      - gold
      - 2
      required: false
      variable: level
  - external_data_tool:
      variable: weather
      label: Weather
version: 0.1.5
"""

AGENT = b"""
version: "0.4.0"
kind: app
dependencies:
- current_identifier: null
  type: marketplace
  value: {marketplace_plugin_unique_identifier: "langgenius/openai:0.0.1@00"}
app: {name: Shop Agent, mode: agent-chat, icon: x, icon_background: null, icon_type: emoji, description: d, use_icon_as_answer_icon: true}
model_config:
  model: {provider: langgenius/deepseek/deepseek, name: deepseek-chat, mode: chat, completion_params: {temperature: 0.1}}
  pre_prompt: Help.
  agent_mode:
    enabled: true
    strategy: cot
    max_iteration: 400
    tools:
    - {provider_type: builtin, provider_id: time, provider_name: time, tool_name: current_time, tool_label: Time, tool_parameters: {timezone: Asia/Shanghai, format: ''}, enabled: true}
    - {provider_type: api, provider_id: 1-2, provider_name: orders, tool_name: findOrder, tool_label: Find, tool_parameters: {}, enabled: true}
    - {provider_type: builtin, provider_id: google, provider_name: google, tool_name: google_search, tool_parameters: {}, enabled: true}
    - {provider_type: builtin, provider_id: google, provider_name: google, tool_name: google_search, tool_parameters: {}, enabled: false}
    - dataset: {enabled: true, id: handbook-id}
  sensitive_word_avoidance:
    enabled: true
    type: keywords
    configs:
      keywords: "secret\\n\\nrumour\\nsecret"
      inputs_config: {enabled: true, preset_response: No.}
      outputs_config: {enabled: false, preset_response: ''}
"""

COMPLETION = b"""
kind: app
app: {name: Writer, mode: completion}
model_config:
  model: {name: writer}
  prompt_type: advanced
  completion_prompt_config: {prompt: {text: "Write about {{topic}}: {{#context#}}"}, conversation_histories_role: {user_prefix: Human, assistant_prefix: Assistant}}
  dataset_query_variable: topic
  user_input_form:
  - paragraph: {variable: topic, label: Topic, required: true}
"""
