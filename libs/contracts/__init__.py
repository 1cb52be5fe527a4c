"""What the services say to each other, and to the provinces: data only.

vocabulary   enums, money and code types
refusals     every refusal of the system, bilingual
public       bodies that the gateway's callers send and get
commands     what is asked of relations and wallet
internal     what the gateway asks them over HTTP
events       what is told over Kafka
topics       where it is told, and under which key
"""
