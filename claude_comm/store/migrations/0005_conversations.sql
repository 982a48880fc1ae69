-- Conversations are followed by correlation and by causation.

CREATE INDEX messages_by_correlation ON messages (correlation) WHERE correlation != '';
CREATE INDEX messages_by_causation ON messages (causation) WHERE causation != '';
