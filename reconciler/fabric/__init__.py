"""What gives a node its membership, quorum and one totally ordered broadcast."""
