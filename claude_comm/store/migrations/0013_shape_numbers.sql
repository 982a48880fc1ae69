-- The numbers of the latest messages of each shape, as MessagePack: those that a new contract refuses are found by them,
-- without a look at the rest of their flow. Empty of what was folded before.
ALTER TABLE packed_shapes ADD COLUMN numbers BLOB NOT NULL DEFAULT X'90';
