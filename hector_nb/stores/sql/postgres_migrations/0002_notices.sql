-- The numbers of notifications, by which a node knows that it has missed one.
CREATE SEQUENCE notices;
