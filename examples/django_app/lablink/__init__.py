"""LabLink in small: an inventory of lab components with photographs."""
