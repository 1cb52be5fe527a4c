"""How Gongji is put onto machines."""
