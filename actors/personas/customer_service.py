"""Customers, and those who help them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ...engine.attributes import AttributeModel
from .traits import (
    Age,
    CommunicationStyle,
    Empathy,
    Forgetfulness,
    Gender,
    Language,
    Name,
    Number,
    Politeness,
    Rules,
    WholeNumber,
)

__all__ = ["Customer", "SupportAgent"]


class Customer(AttributeModel):
    """Somebody who turns to a company with a problem or a question."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    language: Language = "English"
    customer_id: Annotated[WholeNumber, Field(description="The number or code the company knows the customer by.")] = ""
    occupation: str = Field(default="", description="What the customer does for a living.")
    account_tenure: str = Field(default="", description="For how long there has been an account, such as '3 years'.")
    membership_level: str = Field(default="", description="The plan or level, such as basic or gold.")
    loyalty_status: str = Field(default="", description="How attached to the company, such as loyal or about to leave.")
    fidelity_score: Annotated[Number, Field(description="The company's measure of that, a figure or in words.")] = ""
    issue: str = Field(default="", description="What is wrong, in a few words.")
    issue_category: str = Field(default="", description="The kind of problem, such as billing or delivery.")
    issue_description: str = Field(default="", description="What happened, in full.")
    issue_history: str = Field(default="", description="What has been done about it so far.")
    desired_outcome: str = Field(default="", description="What would settle it for the customer.")
    knowledge_domain: str = Field(default="", description="What the customer knows much about.")
    technical_expertise: str = Field(default="", description="How well the customer handles technology.")
    sentiment: str = Field(default="", description="The mood about the company, such as neutral or let down.")
    anger_level: str = Field(default="", description="How angry, from calm to furious.")
    tiredness: str = Field(default="", description="How tired, from fresh to worn out.")
    patience_level: str = Field(default="", description="How patient with questions, steps and waiting.")
    politeness: Politeness = ""
    personality: str = Field(default="", description="Character and temper.")
    instruction_following: str = Field(default="", description="How well the customer does what the agent asks for.")
    forgetfulness: Forgetfulness = ""
    times_called: Annotated[WholeNumber, Field(description="How often the customer has called about this before.")] = ""
    preferred_channel: str = Field(default="", description="How the customer likes to be reached, such as phone.")
    prior_interactions_summary: str = Field(default="", description="How earlier contacts with the company went.")
    urgency: str = Field(default="", description="How soon it must be settled, and why.")
    rules: Rules = ""


class SupportAgent(AttributeModel):
    """Somebody who answers customers for a company."""

    name: Name = ""
    language: Language = "English"
    agent_id: Annotated[WholeNumber, Field(description="The number or code the company knows the agent by.")] = ""
    role: str = Field(default="Customer Support Agent", description="The agent's function in the company.")
    experience_years: Annotated[WholeNumber, Field(description="Years in support, as a number or in words.")] = ""
    product_scope: str = Field(default="", description="Which products or services the agent is there for.")
    product_knowledge_level: str = Field(default="", description="How well the agent knows them.")
    communication_style: CommunicationStyle = ""
    empathy_level: Empathy = ""
    politeness: Politeness = ""
    resolution_authority_level: str = Field(
        default="", description="What the agent may grant alone, such as refunds up to 50 euros."
    )
    escalation_policy: str = Field(default="", description="When and to whom the agent hands a case on.")
    average_handle_time: Annotated[Number, Field(description="How long a case takes the agent on average.")] = ""
    adherence_notes: str = Field(default="", description="How closely the agent keeps to script and policy.")
    stress_tolerance: str = Field(default="", description="How well the agent bears pressure and abuse.")
    performance_notes: str = Field(default="", description="What reviews say of the agent's work.")
    rules: Rules = ""
