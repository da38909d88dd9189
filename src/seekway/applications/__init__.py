"""Applications as Dify knows them: chatbots, text generators and agents, with what they keep."""
